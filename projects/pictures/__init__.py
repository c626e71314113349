"""Draw pictures for image studies as PNG, from arrays: grids of images, confusion matrices."""
