"""Pictures that image studies leave behind: grids of images, confusion matrices. As PNG, from arrays alone."""
