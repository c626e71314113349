"""The images of the study: made pictures, folders of images and CIFAR-10. `config` imports no data library."""
