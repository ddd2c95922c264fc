"use strict";
// Peer: Medusa's createReservationsWorkflow over its inventory and locking modules, in process:
//
//   node holds.js SKUS CALLERS SECONDS
//
// Prints a line of JSON. The DSN of a database of its own is read from STOCKTIDE_POSTGRES. Each
// caller reserves one unit after the other, at one place; SKUS is 1 for one hot SKU.

const path = require("path");
const { MedusaApp } = require("@medusajs/modules-sdk");
const { asValue } = require("@medusajs/framework/awilix");
const {
  ContainerRegistrationKeys, createMedusaContainer, Modules, ModulesSdkUtils,
} = require("@medusajs/framework/utils");

const [skus, callers, seconds] = process.argv.slice(2).map(Number);
const WARM_UP_MS = 1000;
const PLACE = "store";
const silent = () => undefined;
const logger = {
  debug: silent, info: silent, log: silent, success: silent, activity: silent,
  shouldLog: () => false, warn: console.error, error: console.error,
};

// The package exports everything or nothing, and everything wants the web framework's own needs.
const { createReservationsWorkflow } = require(path.join(
  __dirname, "node_modules/@medusajs/core-flows/dist/reservation/workflows/create-reservations.js",
));
const { version } = require(path.join(__dirname, "node_modules/@medusajs/inventory/package.json"));

async function opened() {
  const clientUrl = process.env.STOCKTIDE_POSTGRES;
  const container = createMedusaContainer();
  const connection = ModulesSdkUtils.createPgConnection({
    clientUrl, pool: { min: 2, max: callers },
  });
  container.register({
    [ContainerRegistrationKeys.LOGGER]: asValue(logger),
    [ContainerRegistrationKeys.PG_CONNECTION]: asValue(connection),
  });
  const app = await MedusaApp({
    sharedContainer: container,
    sharedResourcesConfig: { database: { clientUrl } },
    injectedDependencies: {
      [ContainerRegistrationKeys.LOGGER]: logger,
      [ContainerRegistrationKeys.PG_CONNECTION]: connection,
    },
    modulesConfig: {
      [Modules.INVENTORY]: { resolve: "@medusajs/inventory", options: {} },
      [Modules.LOCKING]: { resolve: "@medusajs/locking" },
      [Modules.EVENT_BUS]: { resolve: "@medusajs/event-bus-local" },
      [Modules.WORKFLOW_ENGINE]: { resolve: "@medusajs/workflow-engine-inmemory" },
    },
  });
  await app.runMigrations();
  await app.onApplicationStart();
  return app;
}

async function main() {
  const app = await opened();
  const inventory = app.modules[Modules.INVENTORY];
  const items = await inventory.createInventoryItems(
    Array.from({ length: skus }, (_, number) => ({ sku: `SKU-${number}` })),
  );
  await inventory.createInventoryLevels(
    items.map(({ id }) => ({
      inventory_item_id: id, location_id: PLACE, stocked_quantity: 100_000_000,
    })),
  );
  const start = performance.now();
  const countsFrom = start + WARM_UP_MS;
  const until = countsFrom + seconds * 1000;
  const times = [];
  await Promise.all(Array.from({ length: callers }, async (_, caller) => {
    for (let number = 0; ; number += 1) {
      const began = performance.now();
      if (began >= until) return;
      const item = items[(caller * 7919 + number) % skus].id;
      await createReservationsWorkflow(app.sharedContainer).run({
        input: { reservations: [{ inventory_item_id: item, location_id: PLACE, quantity: 1 }] },
      });
      const ended = performance.now();
      if (began >= countsFrom && ended <= until) times.push(ended - began);
    }
  }));
  times.sort((one, other) => one - other);
  const p99 = times.length ? times[Math.max(0, Math.ceil(times.length * 0.99) - 1)] : null;
  console.log(JSON.stringify({ accepted: times.length, seconds, p99_ms: p99, version }));
}

main().then(() => process.exit(0), (error) => {
  console.error(error);
  process.exit(1);
});
