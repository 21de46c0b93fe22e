"""Django channels' layers over Redis: sending to a channel, groups, several listeners."""

import asyncio
import json
import sys

from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer

hosts = [f"redis://{sys.argv[1]}:{sys.argv[2]}"]


async def use(make):
    here, there = make(), make()
    channel = await here.new_channel()
    # The layer does not wait for the reply to its SUBSCRIBE.
    await asyncio.sleep(0.1)
    await there.send(channel, {"type": "one", "n": 1})
    first = await asyncio.wait_for(here.receive(channel), 5)
    other = await there.new_channel()
    for layer, name in ((here, channel), (there, other)):
        await layer.group_add("room", name)
    await asyncio.sleep(0.1)
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
    print(json.dumps({
        "core": await use(lambda: RedisChannelLayer(hosts=hosts, prefix="asgi")),
        "pubsub": await use(lambda: RedisPubSubChannelLayer(hosts=hosts, prefix="asgi-pubsub")),
    }))


asyncio.run(main())
