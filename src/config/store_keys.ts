/**
 * The rows of the table of keys that say where the store is, and who we are in it.
 *
 * @module
 */

import type { ConfigKey } from "./key.ts";

/** Coordinators that other processes share, as opposed to files of this machine. */
const REMOTE = ["zookeeper", "etcd"] as const;

/** A part of the table, in its order. */
export const STORE_KEYS = [
  {
    key: "coordinator",
    field: "coordinator",
    kind: "word",
    words: ["embedded", "zookeeper", "etcd"],
    default: "embedded",
    help: "Where the slot table is stored: in files on this machine, in ZooKeeper or in etcd. " +
      "If zk is set and this key is not, it is zookeeper, as in Codis 2.0.",
  },
  {
    key: "embedded_dir",
    field: "embeddedDir",
    kind: "folder",
    default: "./codis-data",
    help:
      "Folder of the embedded coordinator. A missing folder is created. Relative to the working folder.",
  },
  {
    key: "servers",
    field: "servers",
    kind: "addresses",
    default: "",
    sample: "127.0.0.1:6379",
    help:
      "Redis masters for an empty embedded store: one group each, the slots spread evenly and online. " +
      "A store that is not empty stays unchanged.",
  },
  {
    key: "zk",
    field: "coordinatorEndpoints",
    kind: "endpoints",
    default: "",
    requiredBy: REMOTE,
    example: "zk-1:2181,zk-2:2181,zk-3:2181",
    help:
      "Hosts of ZooKeeper (default port 2181), or endpoints of etcd (default http:// and port 2379).",
  },
  {
    key: "coordinator_auth",
    field: "coordinatorAuth",
    kind: "secret",
    reload: "while_set",
    default: "",
    example: "user:password",
    help:
      "User and password for ZooKeeper (digest scheme) or for etcd. Only this user can then use new " +
      "nodes in ZooKeeper; without this key, everybody can, as in Codis 2.0.",
  },
  {
    key: "coordinator_ca",
    field: "coordinatorCa",
    kind: "text",
    default: "",
    example: "/etc/ssl/etcd/ca.pem",
    help: "PEM file with the certificate authority of etcd's https endpoints. Not set: the " +
      "authorities that the system trusts.",
  },
  {
    key: "coordinator_cert",
    field: "coordinatorCert",
    kind: "text",
    default: "",
    example: "/etc/ssl/etcd/client.pem",
    help: "PEM file with the client certificate for etcd, if etcd requires one.",
  },
  {
    key: "coordinator_key",
    field: "coordinatorKey",
    kind: "text",
    default: "",
    example: "/etc/ssl/etcd/client-key.pem",
    help: "PEM file with the private key of coordinator_cert.",
  },
  {
    key: "product",
    field: "product",
    kind: "name",
    default: "test",
    help: "Name of the cluster. Everything is stored below /zk/codis/db_<product>.",
  },
  {
    key: "proxy_id",
    field: "proxyId",
    kind: "name",
    default: "proxy_1",
    requiredBy: REMOTE,
    isOfProxy: true,
    help: "Name of this proxy. Every proxy of the product needs its own name.",
  },
  {
    key: "dashboard_addr",
    field: "dashboardAddr",
    kind: "httpAddress",
    default: "",
    requiredBy: REMOTE,
    example: "localhost:18087",
    help:
      "Address at which proxies and config commands reach the dashboard. Not set, with the embedded " +
      "coordinator: the proxy serves the dashboard on its own HTTP address.",
  },
] as const satisfies readonly ConfigKey[];
