"""Django channels' layers over Redis: sending to a channel, groups, several listeners."""

import asyncio
import json
import sys

import redis
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer

hosts = [f"redis://{sys.argv[1]}:{sys.argv[2]}"]


async def subscribed(channel, count):
    """The layer with pub/sub does not wait for the reply to its SUBSCRIBE."""
    client = redis.Redis(host=sys.argv[1], port=int(sys.argv[2]))
    while client.pubsub_numsub(channel)[0][1] < count:
        await asyncio.sleep(0.02)


async def use(make, prefix, has_subscribers):
    here, there = make(prefix), make(prefix)
    channel = await here.new_channel()
    if has_subscribers:
        await subscribed(channel, 1)
    await there.send(channel, {"type": "one", "n": 1})
    first = await asyncio.wait_for(here.receive(channel), 5)
    other = await there.new_channel()
    for layer, name in ((here, channel), (there, other)):
        await layer.group_add("room", name)
    if has_subscribers:
        await subscribed(f"{prefix}__group__room", 2)
    await here.group_send("room", {"type": "all", "n": 2})
    both = [await asyncio.wait_for(here.receive(channel), 5),
            await asyncio.wait_for(there.receive(other), 5)]
    await there.group_discard("room", other)
    await here.group_send("room", {"type": "rest", "n": 3})
    rest = await asyncio.wait_for(here.receive(channel), 5)
    try:
        none = await asyncio.wait_for(there.receive(other), 0.5)
    except asyncio.TimeoutError:
        none = None
    return [first, both, rest, none]


async def main():
    def core(prefix):
        return RedisChannelLayer(hosts=hosts, prefix=prefix)

    def pubsub(prefix):
        return RedisPubSubChannelLayer(hosts=hosts, prefix=prefix)

    print(json.dumps({
        "core": await use(core, "asgi", False),
        "pubsub": await use(pubsub, "asgi-pubsub", True),
    }))


asyncio.run(main())
