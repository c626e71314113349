"""Study image classifiers: a small CNN and EfficientNet-B0 on folders of images, CIFAR-10 and made pictures."""
