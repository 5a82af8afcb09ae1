"""One Keras model to one artifact, one file per format."""
