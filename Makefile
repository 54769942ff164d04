# The two commands are `make run` and `make test`. Both set up first; with nothing to do that costs a blink.
PY := .venv/bin/python
PACKAGES := edgebox drivers sync hw_sim
UV_VERSION := 0.13.9

.PHONY: setup run test lint types bench accuracy faults soak lock clean deb test-deb test-vm install uninstall

setup:
	@./setup.sh

# make run RECEIPTS=3 prints three receipts and ends; SHOP=en is an English shop (python -m hw_sim --help lists them).
run: setup
	@$(PY) -m hw_sim $(if $(RECEIPTS),--receipts $(RECEIPTS)) $(if $(SHOP),--language $(SHOP))

# One worker more than processors: many tests wait for processes and timers.
test: lint types
	@$(PY) -m pytest -n $$(($$(nproc) + 1))

lint: setup
	@$(PY) -m ruff check .

types: setup
	@$(PY) -m mypy $(PACKAGES)

bench: setup
	@$(PY) -m tests.bench

accuracy: setup
	@$(PY) -m tests.accuracy
	@$(PY) -m tests.accuracy.fields

# kill -9, full disk, broken files, clocks, brokers: what was accepted, delivered, lost. As root also the full disk.
faults: setup
	@$(PY) -m tests.faults

# A busy shop for an hour, with everything that goes wrong; its figures, and a picture: artefacts/soak.png.
soak: setup
	@$(PY) -m tests.soak --minutes $(or $(MINUTES),60)

# Takes the newest versions that setup.cfg allows; the hashes are those of all wheels, for x86-64 and arm64 alike.
lock:
	@$${PYTHON:-python3} -m venv build/lock
	@build/lock/bin/pip install -qq uv==$(UV_VERSION)
	@UV_CUSTOM_COMPILE_COMMAND="make lock" build/lock/bin/uv pip compile setup.cfg --extra dev --quiet --upgrade \
		--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--output-file requirements.lock
	@cp requirements.lock box.lock  # the same versions, less what only developers need
	@UV_CUSTOM_COMPILE_COMMAND="make lock" build/lock/bin/uv pip compile setup.cfg --quiet \
		--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--output-file box.lock
	@! grep -n '://' requirements.lock box.lock

# build/edgebox_VERSION_ARCH.deb; ARCH=arm64 makes the other one, too, without a machine of its kind.
deb: setup
	@PYTHON=$(CURDIR)/$(PY) packaging/deb.sh $(ARCH)

# build/edgebox_VERSION_ARCH.update, signed: make update KEY=release-2026.key (docs/updates.md).
update: setup
	@PYTHON=$(CURDIR)/$(PY) KEY=$(KEY) REPLACES=$(REPLACES) packaging/update.sh $(ARCH)

# The package in a fresh Debian 12 with nothing else (root, mmdebstrap).
test-deb: deb
	@packaging/try_deb.sh

# The kernel tier: a Debian with systemd in a virtual machine under software emulation; root, QEMU, mmdebstrap.
# Behind it a minute of the soak, on this machine.
test-vm: setup
	@tests/vm/run.sh
	@$(MAKE) --no-print-directory soak MINUTES=1

# Onto this machine, without a package: sudo make install. `make uninstall` leaves what is recorded.
install: setup
	@PYTHON=$(CURDIR)/$(PY) packaging/tree.sh /
	@sh packaging/debian/postinst configure

uninstall:
	@sh packaging/debian/prerm remove
	@rm -rf /opt/edgebox /usr/lib/edgebox /usr/bin/edgebox /usr/bin/edgebox-line /usr/bin/edgebox-scan /usr/share/edgebox \
		/lib/systemd/system/edgebox* /lib/systemd/system/bluetooth.service.d/edgebox.conf \
		/lib/udev/rules.d/60-edgebox.rules /usr/lib/sysusers.d/edgebox.conf \
		/usr/lib/tmpfiles.d/edgebox.conf /usr/lib/modules-load.d/edgebox.conf /usr/lib/systemd/journald.conf.d/edgebox.conf \
		/usr/share/dbus-1/system.d/edgebox.conf
	@sh packaging/debian/postrm remove

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info artefacts
	find $(PACKAGES) tests -name __pycache__ -prune -exec rm -rf {} +
