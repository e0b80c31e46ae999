"""The paper's tables and figures, made anew: plans of jobs, numbers over seeds, pages with the paper's beside ours."""
