"""A Keras model in; int8 and float32 artifacts for three engines, checked and bundled, out."""
