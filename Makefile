# The verbs that people know; each is one command that also works by itself.
.PHONY: install docker-up docker-up-embedded docker-down test update-deps

COMPOSE = docker compose --env-file .env --env-file deploy/docker/laptop.env

# Dependencies, exactly as locked.
install:
	node deploy/local/install.mjs

# The whole service tier in containers, sized for a laptop; the first call writes its secrets into .env.
docker-up:
	deploy/docker/create-secrets.sh
	$(COMPOSE) up --build --detach --wait

docker-down:
	$(COMPOSE) down

# The platform in one container on embedded engines; needs ML_JWT_SECRET_KEY.
docker-up-embedded:
	docker compose -f deploy/docker/embedded.compose.yml up --build --detach --wait

# Everything `npm test` runs.
test:
	npm test

# The newest packages of the same majors, in package.json and the lock; says what to run next.
update-deps:
	npm run --silent update-deps
