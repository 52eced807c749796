"""Losses of images, boxes and masks."""
