# What can be done with this project. Only npm, or Deno itself, must be installed before.

.DEFAULT_GOAL := help
.PHONY: run start test conformance bench build deb release lint fmt clean help

run: ## start two redis-servers and a proxy on port 9000; Ctrl-C stops all
	@sh deploy/setup.sh redis-server -- deno task demo

start: ## start the proxy with ./config.ini; ARGS="--cpu=2" for more
	@sh deploy/setup.sh -- deno task start $(ARGS)

test: ## run the whole test suite
	@sh deploy/setup.sh redis-server redis-sentinel redis-benchmark java zookeeper etcd chromium-headless-shell tclsh ip chrt \
	  dpkg-source promtool helm python3-redis python3-celery python3-rq python3-channels-redis ruby-sidekiq -- \
	  deno task test $(ARGS)

conformance: ## run Redis's own test suite through the proxy; ARGS=--help says how
	@sh deploy/setup.sh redis-server redis-benchmark tclsh dpkg-source -- deno task conformance $(ARGS)

bench: ## compare the speed of redis-server, twemproxy and the proxy
	@sh deploy/setup.sh redis-server redis-benchmark nutcracker -- deno task bench $(ARGS)

build: ## make dist/codis-proxy, one executable file
	@sh deploy/setup.sh -- deno task build $(ARGS)

deb: build ## make dist/codis-proxy_*.deb
	@sh deploy/setup.sh dpkg-deb -- deno task deb

release: deb ## put archive, package, checksums and changes into dist/release
	@sh deploy/setup.sh -- deno task release

lint: ## check format, style and types
	@sh deploy/setup.sh -- deno task lint

fmt: ## format the source
	@sh deploy/setup.sh -- deno task fmt

clean: ## remove what the other targets made
	@rm -rf dist coverage .deno .conformance

help: ## show this list
	@sed -n 's/^\([a-z]*\): ## \(.*\)/make \1|\2/p' Makefile | awk -F'|' '{ printf "  %-17s %s\n", $$1, $$2 }'
