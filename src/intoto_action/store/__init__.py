"""Where images and evidence lie: registries, image directories, link directories."""
