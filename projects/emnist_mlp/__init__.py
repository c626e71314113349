"""Study regularisation on characters: multi-layer perceptrons on 28 x 28 images, with distortions on request."""
