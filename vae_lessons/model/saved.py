from vae_lessons.model.vae import *


def save_model(model, path):
    raise NotImplementedError


def load_model(path, device="auto"):
    raise NotImplementedError
