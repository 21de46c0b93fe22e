"""RQ: a job, one that fails and is tried again, a delayed one, one that depends on another."""

import datetime
import json
import os
import sys
import time

import redis
import rq


def add(a, b):
    return a + b


def flaky(path):
    with open(path, "a") as file:
        file.write("x")
    if os.path.getsize(path) < 3:
        raise RuntimeError("not yet")
    return "done"


def main():
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import rq_app
    import tempfile
    path = tempfile.mktemp()
    connection = redis.Redis(host=sys.argv[1], port=int(sys.argv[2]))
    queue = rq.Queue("mail", connection=connection)
    plain = queue.enqueue(rq_app.add, 1, 2)
    after = queue.enqueue(rq_app.add, 3, 4, depends_on=plain)
    tried = queue.enqueue(rq_app.flaky, path, retry=rq.Retry(max=3))
    late = queue.enqueue_in(datetime.timedelta(milliseconds=300), rq_app.add, 5, 6)
    worker = rq.SimpleWorker([queue], connection=connection)
    worker.work(burst=True, with_scheduler=False, logging_level="ERROR")
    scheduler = rq.scheduler.RQScheduler([queue], connection=connection, interval=1)
    time.sleep(1.2)
    scheduler.acquire_locks()
    scheduler.enqueue_scheduled_jobs()
    scheduler.release_locks()
    worker = rq.SimpleWorker([queue], connection=connection)
    worker.work(burst=True, logging_level="ERROR")
    results = []
    for job in (plain, after, tried, late):
        job.refresh()
        results.append([str(job.get_status()), job.result])
    os.remove(path)
    print(json.dumps({
        "results": results,
        "finished": queue.finished_job_registry.count,
        "failed": queue.failed_job_registry.count,
        "left": queue.count,
        "workers": rq.Worker.count(connection=connection),
    }))


if __name__ == "__main__":
    main()
