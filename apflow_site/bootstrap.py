def bootstrap():
    pass
