"""What the server does for clients: one module for each service.

The layouts of what is said are in `quintet.sametime.services`. A handler belongs to one server and serves all
its clients; those whose channels end at the server are `client.ServiceHandler`s.
"""
