raise ImportError("tiny_build 2 builds nothing that was made for tiny_build 1")
