# The verbs that people know; each is one command that also works by itself.
.PHONY: install docker-up test update-deps

# Dependencies, exactly as locked.
install:
	node deploy/local/install.mjs

# The platform in a container; needs ML_JWT_SECRET_KEY, see docker-compose.yml.
docker-up:
	docker compose up --build --detach --wait

# Everything `npm test` runs.
test:
	npm test

# What package.json pins stays; what those packages depend on becomes the newest they allow. Then every check.
update-deps:
	npm update
	node deploy/local/complete-lock.mjs
	npm run check
