"""Celery: a job, a delayed one, a retry, a group with a chord, results, and revoking."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time

import celery

host, port = os.environ.get("REDIS_HOST", "127.0.0.1"), os.environ.get("REDIS_PORT", "6379")
url = f"redis://{host}:{port}/0"
# On a busy machine the worker takes its time to start; the test that runs this has a limit of its own.
PATIENCE = 50
app = celery.Celery("celery_app", broker=url, backend=url)
if "CELERY_PRIORITY_STEPS" in os.environ:
    steps = [int(step) for step in os.environ["CELERY_PRIORITY_STEPS"].split(",")]
    app.conf.broker_transport_options = {"priority_steps": steps}
app.conf.update(worker_hijack_root_logger=False, broker_connection_retry_on_startup=True)


@app.task
def add(a, b):
    return a + b


@app.task(bind=True, max_retries=3)
def flaky(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0.2)
    return self.request.retries


@app.task
def total(numbers):
    return sum(numbers)


def end_with_parent():
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main():
    os.environ["REDIS_HOST"], os.environ["REDIS_PORT"] = sys.argv[1], sys.argv[2]
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "celery_app", "worker", "--pool=threads",
         "--concurrency=2", "--loglevel=ERROR", "--without-mingle"],
        cwd=os.path.dirname(os.path.abspath(__file__)), env=os.environ, stdout=sys.stderr,
        preexec_fn=end_with_parent)
    try:
        import celery_app
        plain = celery_app.add.delay(1, 2).get(timeout=PATIENCE)
        delayed = celery_app.add.apply_async((3, 4), countdown=0.5).get(timeout=PATIENCE)
        retried = celery_app.flaky.delay().get(timeout=PATIENCE)
        grouped = sorted(celery.group(celery_app.add.s(i, i) for i in range(5))().get(timeout=PATIENCE))
        chord = celery.chord((celery_app.add.s(i, i) for i in range(5)),
                             celery_app.total.s()).delay().get(timeout=PATIENCE)
        ping, end = 0, time.monotonic() + PATIENCE
        while ping == 0 and time.monotonic() < end:
            ping = len(celery_app.app.control.ping(timeout=2))
    finally:
        worker.terminate()
        worker.wait(20)
    print(json.dumps({"plain": plain, "delayed": delayed, "retried": retried,
                      "grouped": grouped, "chord": chord, "ping": ping}))


if __name__ == "__main__":
    main()
