"""redis-py: pipelines with its defaults (MULTI), locks, optimistic locking, pub/sub, scripts."""

import json
import sys
import threading
import time

import redis

host, port = sys.argv[1], int(sys.argv[2])
client = redis.Redis(host=host, port=port, decode_responses=True)

pipeline = client.pipeline()
pipeline.set("{p}a", 1).incr("{p}a").get("{p}a")
piped = pipeline.execute()


def double(pipe):
    value = int(pipe.get("{p}a"))
    pipe.multi()
    pipe.set("{p}a", value * 2)


doubled = client.transaction(double, "{p}a")
with client.pipeline() as watching:
    watching.watch("{p}a")
    client.incr("{p}a")
    watching.multi()
    watching.set("{p}a", 0)
    try:
        watching.execute()
        watched = "executed"
    except redis.WatchError:
        watched = "WatchError"

lock = client.lock("lock", timeout=10)
taken = lock.acquire()
other = client.lock("lock", timeout=10, blocking_timeout=0.2).acquire()
lock.extend(5)
lock.release()
again = client.lock("lock", timeout=10, blocking_timeout=0.2)
free = again.acquire()
again.release()

pubsub = client.pubsub()
pubsub.subscribe("news", "weather")
pubsub.psubscribe("n*")
heard = []
for _ in range(3):
    while pubsub.get_message(timeout=2)["type"] not in ("subscribe", "psubscribe"):
        pass
receivers = client.publish("news", "hello")
while len(heard) < 2:
    message = pubsub.get_message(timeout=2)
    heard.append([message["type"], message["channel"], message["data"]])
numsub = client.pubsub_numsub("news", "weather", "nobody")
numpat = client.pubsub_numpat()
pubsub.unsubscribe()
pubsub.punsubscribe()
pubsub.close()

popped = []
thread = threading.Thread(target=lambda: popped.append(client.blpop("queue", timeout=5)))
thread.start()
time.sleep(0.2)
client.rpush("queue", "x")
thread.join()
empty = client.blpop("queue", timeout=1)
script = client.register_script("return redis.call('incrby', KEYS[1], ARGV[1])")
scripted = [script(keys=["{s}n"], args=[5]), script(keys=["{s}n"], args=[7])]

print(json.dumps({
    "piped": piped, "doubled": doubled, "watched": watched, "taken": taken, "other": other,
    "free": free, "heard": sorted(heard), "receivers": receivers, "numsub": numsub,
    "numpat": numpat, "popped": popped, "empty": empty, "scripted": scripted,
}))
