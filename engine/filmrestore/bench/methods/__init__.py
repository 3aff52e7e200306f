"""`filmrestore bench methods`: every restorer at equal input, and each paper's claim held against ours."""
