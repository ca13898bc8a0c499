"""The languages that pages speak: sentences that wait to be told, and the catalogues that translate them."""
