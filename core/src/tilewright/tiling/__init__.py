"""How an image is cut: regions, tiles and their grid, and where a tile's pixels lie."""
