"""Load the images of the study: made pictures, folders of images and CIFAR-10."""
