"""From images to a Keras model that is made for int8."""
