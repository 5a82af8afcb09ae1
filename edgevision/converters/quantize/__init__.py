"""A float Keras model to one fake-quantised Keras model: fold, observe, fake-quantise, correct."""
