"""redis-py's RedisCluster: keys, pipelines, several keys of one tag, pub/sub, SCAN of a node."""

import json
import sys

from redis.cluster import RedisCluster

host, port = sys.argv[1], int(sys.argv[2])
client = RedisCluster(host=host, port=port, decode_responses=True)

for i in range(300):
    client.set(f"py:{i}", i)
total = sum(int(client.get(f"py:{i}")) for i in range(300))
with client.pipeline() as pipeline:
    for i in range(20):
        pipeline.incr(f"py:n:{i}")
    piped = pipeline.execute()
client.mset({"{py}a": 1, "{py}b": 2})
together = client.mget("{py}a", "{py}b")
apart = client.mget_nonatomic("py:1", "py:2", "py:3")
deleted = client.delete("py:4", "py:5", "py:6")
pubsub = client.pubsub()
pubsub.subscribe("py:news")
pubsub.get_message(timeout=5)
client.publish("py:news", "hello")
message = pubsub.get_message(timeout=5)
node = client.get_random_node()
scanned = set(client.scan_iter("py:*", count=100, target_nodes=node))

print(json.dumps({
    "nodes": sorted(node.port for node in client.get_nodes()),
    "total": total,
    "piped": piped,
    "together": together,
    "apart": apart,
    "deleted": deleted,
    "message": message["data"],
    "scanned": len(scanned),
    "script": client.eval("return redis.call('GET', KEYS[1])", 1, "{py}a"),
    "state": client.cluster_info()["cluster_state"],
    "slot": client.cluster_keyslot("{py}a") == client.keyslot("py"),
}))
