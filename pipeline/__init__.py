"""From a folder of videos to vectors and words: discover, decode, see, hear, hand over."""

__version__ = "0.1.0"
