"""The Parquet contracts through which the stages meet; the only code that knows Parquet."""
