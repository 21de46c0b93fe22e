# Sidekiq: a job, a delayed one, one that fails and is tried again, a bulk, counts.

require "json"
require "sidekiq"
require "sidekiq/api"
require "sidekiq/launcher"

url = "redis://#{ARGV[0]}:#{ARGV[1]}/0"
Sidekiq.logger.level = Logger::FATAL
Sidekiq.configure_client { |config| config.redis = { url: url } }

DONE = Queue.new
TRIES = Hash.new(0)

class Mail
  include Sidekiq::Worker
  sidekiq_options retry: 3
  sidekiq_retry_in { 1 }

  def perform(name)
    TRIES[name] += 1
    raise "not yet" if name == "flaky" && TRIES[name] < 2

    DONE << name
  end
end

options = Sidekiq.options.merge(
  queues: ["default"], concurrency: 2, average_scheduled_poll_interval: 1,
  poll_interval_average: 1, timeout: 2, labels: [], tag: ""
)
launcher = Sidekiq::Launcher.new(options)
launcher.run
Mail.perform_async("plain")
Mail.perform_in(0.3, "delayed")
Mail.perform_async("flaky")
Sidekiq::Client.push_bulk("class" => Mail, "args" => [["bulk1"], ["bulk2"]])
# The poller of the launcher waits ten seconds before its first look.
poller = Thread.new do
  loop do
    Sidekiq::Scheduled::Enq.new.enqueue_jobs
    Sidekiq::RetrySet.new.retry_all
    sleep 0.1
  end
end
done = Array.new(5) { DONE.pop }
sleep 0.2
# Counts are sent by the heartbeat.
launcher.send(:heartbeat)
stats = Sidekiq::Stats.new
processes = Sidekiq::ProcessSet.new.size
poller.kill
puts JSON.generate(
  done: done.sort, tries: TRIES["flaky"], processed: stats.processed, failed: stats.failed,
  enqueued: stats.enqueued, retries: stats.retry_size, processes: processes
)
$stdout.flush
exit!(0)
