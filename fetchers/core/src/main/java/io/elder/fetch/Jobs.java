package io.elder.fetch;

import io.elder.runtime.Redactor;
import io.elder.runtime.Settings;
import io.elder.schemas.avro.Task;
import java.sql.SQLException;

/** What tasks are configured with, read at the moment of use. */
@FunctionalInterface
public interface Jobs {
    /**
     * The settings of a task's job or connector.
     *
     * @throws BadConfigurationException if the job does not exist or refers to something that does not
     * @throws SQLException if the database can't say
     */
    Configured configuration(Task task) throws SQLException;

    /** @param redactor knows the secrets among the settings */
    record Configured(Settings settings, Redactor redactor) {}
}
