"""The data room: real data sets in their public formats, found where the user has them."""
