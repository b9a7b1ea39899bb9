"""The collection as a picture, PNG or HTML."""
