"""The formats of tables: CSV, Parquet, AnnData and the tables within OME-Zarr images."""
