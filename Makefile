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

# Newest versions within what package.json allows, then everything that a change must pass.
update-deps:
	npm update
	node deploy/local/complete-lock.mjs
	npm run check
