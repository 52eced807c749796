raise RuntimeError("this must not be imported")
