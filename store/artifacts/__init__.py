"""The files that training reads: tensors, transcripts, splits and subtitles."""
