"""LVLM-Count: counting many objects by dividing the picture around them."""
