"""`python -m attn`: the tool."""
from ._tool import main

main()
