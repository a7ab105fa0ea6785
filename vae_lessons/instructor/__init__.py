"""What an instructor runs: python -m vae_lessons grade | store | claims. Nothing else imports it."""
