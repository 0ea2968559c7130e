# What gunicorn is told beside its address and its number of workers.
worker_class = "sync"
sendfile = False
loglevel = "error"
