def test_smoke(servers, module):
    primary = servers.primary()
    import time
    t=time.time()
    print(module("replication_slot", check=True, name="a", **primary.login))
    print(time.time()-t)
    print(module("replication_slot", name="a", **primary.login))
    print(module("replication_slot", name="a", **primary.login))
    print(module("replication_slot", slots=[], exclusive=True, **primary.login))
    print(module("replication_slot", name="Ab", **primary.login))
