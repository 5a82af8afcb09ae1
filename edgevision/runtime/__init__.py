"""Ground floor: open a bundle or a lone model file and predict. Needs numpy, Pillow and one engine."""
