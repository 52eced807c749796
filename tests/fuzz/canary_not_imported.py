raise RuntimeError("this is not to be imported")
