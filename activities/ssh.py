"""`run_ssh` and `resume_ssh`: scripts on servers, which any worker can reach."""

from temporalio import activity

from activities.scripts import ScriptActivities
from contracts.runs import RESUME_SSH, RUN_SSH, ResumeRequest, RunOutcome, RunRequest


class SshActivities(ScriptActivities):
    """The activities for servers."""

    @activity.defn(name=RUN_SSH.name)
    async def run_ssh(self, run: RunRequest) -> RunOutcome:
        """Run one script on a server."""
        return await self.run(run)

    @activity.defn(name=RESUME_SSH.name)
    async def resume_ssh(self, order: ResumeRequest) -> RunOutcome:
        """Go on with a script on a server, whichever worker began with it."""
        return await self.resume(order)
