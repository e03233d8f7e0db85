"""Files of products: received in pieces, read line by line, each line a product."""
