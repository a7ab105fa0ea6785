"""The nearest image to a picture, at the pace of a slider."""


class Among:
    """Images to look for the nearest in, (M, *shape).

    As `measures.nearest`, but for one picture, and with the images' squares at hand: a seventh of the time.
    """

    def __init__(self, images):
        self.rows = images.flatten(1)
        self.squares = self.rows.square().sum(1)

    def nearest(self, picture):
        """The image nearest to one picture, (1, *shape) -> distance, index."""
        row = picture.flatten().to(self.rows.device)
        index = (self.squares - 2 * (self.rows @ row)).argmin()
        return (self.rows[index] - row).norm().item(), index.item()
