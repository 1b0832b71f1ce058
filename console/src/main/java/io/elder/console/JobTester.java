package io.elder.console;

import com.fasterxml.jackson.databind.JsonNode;

/** Tries a job's connection without running it. The console has no provider on its classpath: whoever starts it may. */
public interface JobTester {
    /**
     * @param provider the job's provider
     * @param configuration the job's configuration, with its secrets
     * @throws Exception with a message for the operator, if the connection fails
     */
    Connection test(int jobId, String provider, JsonNode configuration) throws Exception;

    /**
     * A connection that works.
     *
     * @param authMethod how it authenticated, e.g. {@code bind}
     * @param identity who it is there
     */
    record Connection(String authMethod, String identity) {}
}
