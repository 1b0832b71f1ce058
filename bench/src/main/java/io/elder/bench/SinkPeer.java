package io.elder.bench;

/** Somebody who takes inventory records into tables. */
interface SinkPeer {
    /** Where the tables are; with a delay, the port is that of a {@link DelayProxy}. */
    record Target(int port, String database) {
        /** As the superuser. */
        String jdbcUrl() {
            return "jdbc:postgresql://127.0.0.1:" + port + "/" + database + "?user=postgres";
        }

        /** As the worker. */
        String workerUrl() {
            return "postgresql://elder_worker:" + Servers.PASSWORD + "@127.0.0.1:" + port + "/" + database;
        }
    }

    String name();

    /**
     * Writes all records of the feed.
     *
     * @return records a second, from the first commit to the last: how fast somebody starts is not the question
     */
    double run(SinkFeed feed, Target target) throws Exception;
}
